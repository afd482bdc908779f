// The server does not even say who is logged in; the page looks again by itself.
import { Gate } from './gate';

/** `answers`: something does, the server or a proxy in front of it, but not with what was asked. */
export function Starting({ answers }: { answers: boolean }) {
  return (
    <Gate
      title={answers ? 'Not ready' : 'No answer'}
      intro={
        answers
          ? 'The server, or a proxy in front of it, refuses to answer at the moment. This page goes on by itself.'
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
