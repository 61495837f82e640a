// The home's slider, and its demo, which is loaded only when it is asked for: it is 20 MB.
for (const wipe of document.querySelectorAll(".wipe")) {
  const slider = wipe.querySelector("input");
  slider.addEventListener("input", () => wipe.style.setProperty("--photo", `${slider.value}%`));
}

for (const button of document.querySelectorAll(".demo button")) {
  button.addEventListener("click", () => {
    const frame = document.createElement("iframe");
    frame.src = button.dataset.page;
    frame.title = "Sakuga, painting in this browser";
    frame.allow = "camera; clipboard-write; web-share";
    button.parentElement.replaceChildren(frame);
    frame.focus();
  });
}
