// Who paints: the server this page comes from, or the browser itself in the page that runs alone.
//
// Both have the same shape:
//   label, privacy         sentences for people
//   begin()                must be awaited first
//   styles()               [{name, description, default, ...}]
//   draft(file, style, {signal, progress})  a large photo -> PNG of it painted at its working size
//   paint(file, style, {signal, progress, draft})  a picture file -> PNG of the painted one, same size
//   paintFrame(canvas, style)               -> ImageBitmap, as quick as it can
//   viewable(file)         the photo in a format this browser shows
//   videos                 {start, ...}, or null where only pictures are painted

const who = document.querySelector('meta[name="sakuga-engine"]').content;

export const { engine } =
  who === "browser" ? await import("./engine-browser.js") : await import("./engine-server.js");
