// Keeps the pictures that are worked on in this browser, so that a reload loses nothing.

const open = new Promise((resolve, reject) => {
  const request = indexedDB.open("sakuga", 1);
  request.onupgradeneeded = () => request.result.createObjectStore("pictures");
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});
open.catch((error) => console.warn(`pictures are not kept over a reload: ${error.message}`)); // a private window

/** Ask the store, in one transaction: the result of each request that `task` makes. */
async function act(mode, task) {
  const store = (await open).transaction("pictures", mode).objectStore("pictures");
  const results = task(store).map(
    (request) =>
      new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      }),
  );
  return Promise.all(results);
}

/** All pictures in their order: [{key, file}]. */
export async function kept() {
  const [keys, files] = await act("readonly", (store) => [store.getAllKeys(), store.getAll()]);
  return files.map((file, index) => ({ key: keys[index], file }));
}

export const keep = (key, file) => act("readwrite", (store) => [store.put(file, key)]);
export const forget = (key) => act("readwrite", (store) => [store.delete(key)]);
