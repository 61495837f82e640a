// What the page says, to eyes and to screen readers.

const place = document.getElementById("status");
let timer;

/** Show a sentence for a while. */
export function say(sentence) {
  show(sentence, false, 8000);
}

/** Tell screen readers only, of what eyes see anyway. */
export function whisper(sentence) {
  show(sentence, true, 4000);
}

function show(sentence, quiet, duration_ms) {
  clearTimeout(timer);
  place.classList.toggle("quiet", quiet);
  place.textContent = sentence;
  timer = setTimeout(() => (place.textContent = ""), duration_ms);
}
