// The server is not there yet, or not at all; the page looks again by itself.
import { Gate } from './gate';

/** `answers`: it says of itself that it is not ready. */
export function Starting({ answers }: { answers: boolean }) {
  return (
    <Gate
      title={answers ? 'Waking up' : 'No answer'}
      intro={
        answers
          ? 'The server is reading its log and will answer in a moment. This page goes on by itself.'
          : 'The server cannot be reached. This page goes on by itself when it is back.'
      }
    >
      <div class="waiting" role="status">
        <span class="pulse" aria-hidden="true" />
        Waiting for the server
      </div>
    </Gate>
  );
}
