// Everything the page asks of the server, typed.
export { wireOf } from './filters';
export * from './manage';
export * from './reports';
export { ApiError, download, health, isAnswering, isAsking, type ErrorKind, type Health } from './transport';
export type * from './types';
