// What went wrong with what a person has just done; nothing while nothing has.
import type { ApiError } from '../api';
import { sentence } from './submit';

export function Problem({ error }: { error: ApiError | string | null }) {
  if (!error) return null;
  return (
    <p class="note problem" role="alert">
      {typeof error === 'string' ? error : sentence(error)}
    </p>
  );
}
