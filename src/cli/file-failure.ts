import { dirname } from 'node:path';

const FILE_CALLS = ['open', 'stat', 'fstat', 'write', 'rename', 'ftruncate', 'fsync', 'unlink'];

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'this user may not open it',
  EPERM: 'this user may not open it',
  EISDIR: 'that is a directory',
  ENOTDIR: 'a part of the path is a file, not a directory',
  ENOSPC: 'the disk is full',
  EDQUOT: 'the quota of this user is used up',
  EROFS: 'the file system is read-only',
  EFBIG: 'the file system takes no file of that size',
  ENAMETOOLONG: 'the name is too long',
};

/** What became of the file of a person, in one line; `null` for an error that is about something else. */
export function fileFailure(error: unknown, path: string): string | null {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return null;
  if (code === 'ENOENT' && FILE_CALLS.includes(syscall)) {
    // Only what is to be made is opened without being there; then it is the directory that is missing.
    return syscall === 'stat' ? `${path}: there is no such file` : `${path}: there is no directory ${dirname(path)}`;
  }
  const reason = REASONS[code];
  if (reason !== undefined) return `${path}: ${reason} (${code})`;
  return FILE_CALLS.includes(syscall) ? `${path}: ${code}` : null;
}
