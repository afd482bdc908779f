// A part of the page that could not be filled says so, with the server's reason and a way to try again.
import type { ApiError } from '../api';
import { Warning } from './icons';
import { sentence } from './submit';

export function Failure({ error, retry }: { error: ApiError; retry: () => void }) {
  return (
    <div class="failure" role="alert">
      <Warning />
      <p>
        <strong>This could not be loaded.</strong>
        <br />
        {sentence(error)}
      </p>
      <button class="secondary" type="button" onClick={retry}>
        Try again
      </button>
    </div>
  );
}
