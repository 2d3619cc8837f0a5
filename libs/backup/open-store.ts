import type { BackupTarget } from '#platform/backup-config';
import type { BackupStore } from './backup-store.js';
import { FolderStore } from './internal/folder-store.js';
import { S3Store } from './internal/s3-store.js';

export function openStore(target: BackupTarget): BackupStore {
  return target.kind === 'folder' ? new FolderStore(target.folder) : new S3Store(target);
}
