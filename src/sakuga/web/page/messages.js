// What the page says, to eyes and to screen readers.

const place = document.getElementById("status");
let timer;

/** Show a sentence for a while; with `label` and `act`, a button beside it. */
export function say(sentence, label = null, act = null) {
  show(sentence, false, 8000);
  if (label === null) return;
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = label;
  button.addEventListener("click", () => {
    place.textContent = "";
    act();
  });
  place.append(" ", button);
}

/** Tell screen readers only, of what eyes see anyway. */
export function whisper(sentence) {
  if (place.querySelector("button")) return; // what can be undone stays in sight
  show(sentence, true, 4000);
}

function show(sentence, quiet, duration_ms) {
  clearTimeout(timer);
  place.classList.toggle("quiet", quiet);
  place.textContent = sentence;
  timer = setTimeout(() => (place.textContent = ""), duration_ms);
}
