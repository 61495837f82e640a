// Keeps the page that runs alone usable without a network, and lets it use threads; takes photos
// that other apps share to the page, alone or served.
//
// The build puts the list of files and a version made of their contents in place of the two
// constants. Answers get the headers that isolate the page, which many static hosts cannot send.

const FILES = []; // filled in by the build
const VERSION = "development"; // filled in by the build

const CACHE = `sakuga-${VERSION}`;
const SHARED = "sakuga-shared"; // photos on their way to the page, which main.js takes out
const ISOLATION = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
};

// The first one works at once, since threads wait for it, and keeps the files when the page says
// that it has begun. A newer one has all of its files before it takes over, so that none are mixed.
// With no list of files, served, nothing is kept: such a page is never stale.
addEventListener("install", (event) => {
  self.skipWaiting();
  if (registration.active) event.waitUntil(keepFiles());
});

addEventListener("message", (event) => event.waitUntil(keepFiles()));

async function keepFiles() {
  const cache = await caches.open(CACHE);
  const kept = new Set((await cache.keys()).map(({ url }) => url));
  const missing = FILES.filter((file) => !kept.has(new URL(file, registration.scope).href));
  await cache.addAll(missing.map((file) => new Request(file, { cache: "reload" })));
}

addEventListener("activate", (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name !== CACHE && name !== SHARED).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

addEventListener("fetch", (event) => {
  const address = new URL(event.request.url);
  const asked = address.href.slice(registration.scope.length);
  if (event.request.method === "POST" && asked === "share") event.respondWith(takeShared(event.request));
  else if (FILES.length > 0 && event.request.method === "GET" && address.origin === location.origin) {
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

/** Put shared photos where the page finds them, and open the page. */
async function takeShared(request) {
  const photos = (await request.formData()).getAll("photos").filter((photo) => photo instanceof File);
  const cache = await caches.open(SHARED);
  for (const [index, photo] of photos.entries()) {
    const headers = { "Content-Type": photo.type, "X-Name": encodeURIComponent(photo.name) };
    await cache.put(`shared/${Date.now()}-${index}`, new Response(photo, { headers }));
  }
  return Response.redirect("./#shared", 303);
}
