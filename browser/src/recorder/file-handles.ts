/** Handles of chosen files, kept in IndexedDB: where the browser gives them out, a reload can go on without asking. */

const DATABASE = 'safereel';
const STORE = 'file-handles';

/** Not in TypeScript's own types: only Chromium has them. */
interface Permitted {
  queryPermission?(options: { mode: 'read' }): Promise<PermissionState>;
  requestPermission?(options: { mode: 'read' }): Promise<PermissionState>;
}

/** Keeps the handle of an upload's file. */
export async function keepHandle(id: string, handle: FileSystemFileHandle): Promise<void> {
  await inStore('readwrite', (store) => store.put(handle, id));
}

/** The handle of an upload's file, or null where none was kept, or the browser keeps nothing. */
export async function keptHandle(id: string): Promise<FileSystemFileHandle | null> {
  try {
    return ((await inStore('readonly', (store) => store.get(id))) as FileSystemFileHandle | undefined) ?? null;
  } catch {
    // No database (a private window, say): then the file is chosen again, as where there are no handles.
    return null;
  }
}

/** Forgets the handle of an upload that is over. */
export async function dropHandle(id: string): Promise<void> {
  await inStore('readwrite', (store) => store.delete(id));
}

/** Whether the file may be read now; `ask` lets the browser ask the person, in a click. */
export async function mayRead(handle: FileSystemFileHandle, ask: boolean): Promise<boolean> {
  const permitted = handle as Permitted;
  const look = ask ? permitted.requestPermission : permitted.queryPermission;
  if (!look) return true;
  return (await look.call(handle, { mode: 'read' })) === 'granted';
}

async function inStore<T>(mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await opened();
  try {
    const transaction = database.transaction(STORE, mode);
    const request = work(transaction.objectStore(STORE));
    return await new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = () => reject(transaction.error);
      transaction.onabort = () => reject(transaction.error);
    });
  } finally {
    database.close();
  }
}

function opened(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new DOMException('the database is in use by an older page', 'AbortError'));
  });
}
