// Keeps the page that runs alone usable without a network, and lets it use threads.
//
// The build puts the list of files and a version made of their contents in place of the two
// constants. Answers get the headers that isolate the page, which many static hosts cannot send.

const FILES = []; // filled in by the build
const VERSION = "development"; // filled in by the build

const CACHE = `sakuga-${VERSION}`;
const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};

addEventListener("install", (event) => {
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) => cache.addAll(FILES.map((file) => new Request(file, { cache: "reload" }))))
      .then(() => self.skipWaiting()),
  );
});

addEventListener("activate", (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name !== CACHE).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

addEventListener("fetch", (event) => {
  const address = new URL(event.request.url);
  if (event.request.method === "GET" && address.origin === location.origin) {
    event.respondWith(answer(event.request));
  }
});

/** From the cache; what is not there (the WebGPU build) is fetched once and kept. */
async function answer(request) {
  const cache = await caches.open(CACHE);
  let response = await cache.match(request, { ignoreSearch: true });
  if (response === undefined) {
    response = await fetch(request);
    if (response.status === 200) await cache.put(request, response.clone());
  }
  if (response.type === "opaque" || response.redirected) return response;
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(ISOLATION)) headers.set(name, value);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
