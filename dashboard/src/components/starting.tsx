// The server is not there yet; the page looks again by itself.
import { Gate } from './gate';

export function Starting() {
  return (
    <Gate
      title="Waking up"
      intro="The server is reading its log and will answer in a moment. This page goes on by itself."
    >
      <div class="waiting" role="status">
        <span class="pulse" aria-hidden="true" />
        Waiting for the server
      </div>
    </Gate>
  );
}
