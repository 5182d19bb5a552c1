// Rectangles drawn on a camera's picture, in shares of its width and height: left, top, width, height.
const LEAST = 0.02;

export function drawMasks(main) {
  for (const place of main.querySelectorAll(".masks")) begin(place);
}

function begin(place) {
  const [image, canvas, field] = ["img", "canvas", "input[name=masks]"].map((each) => place.querySelector(each));
  const save = place.querySelector("[data-save]");
  let masks = JSON.parse(place.dataset.masks);
  let from = null;

  function show(extra) {
    canvas.width = canvas.clientWidth;
    canvas.height = canvas.clientHeight;
    const pen = canvas.getContext("2d");
    for (const [left, top, width, height] of extra ? [...masks, extra] : masks) {
      pen.fillStyle = "#000";
      pen.fillRect(left * canvas.width, top * canvas.height, width * canvas.width, height * canvas.height);
      pen.strokeStyle = "#ffd400";
      pen.lineWidth = 3;
      pen.strokeRect(left * canvas.width, top * canvas.height, width * canvas.width, height * canvas.height);
    }
    field.value = JSON.stringify(masks);
    save.disabled = field.value === JSON.stringify(JSON.parse(place.dataset.masks));
  }

  function at(event) {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    const share = (value) => Math.min(1, Math.max(0, value));
    return [share((event.clientX - left) / width), share((event.clientY - top) / height)];
  }

  function rectangle(event) {
    const to = at(event);
    const [left, top] = [Math.min(from[0], to[0]), Math.min(from[1], to[1])];
    const round = (value) => Math.floor(value * 1000) / 1000;
    return [left, top, Math.abs(from[0] - to[0]), Math.abs(from[1] - to[1])].map(round);
  }

  const ready = () => { place.classList.remove("loading"); show(); };
  if (image.complete && image.naturalWidth) ready();
  else image.addEventListener("load", ready);
  image.addEventListener("error", () => {
    place.classList.remove("loading");
    place.querySelector(".frame").replaceWith(Object.assign(document.createElement("p"), { className: "warn", textContent: place.dataset.failed }));
  });
  canvas.addEventListener("pointerdown", (event) => { from = at(event); canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointermove", (event) => { if (from) show(rectangle(event)); });
  canvas.addEventListener("pointerup", (event) => {
    const drawn = rectangle(event);
    from = null;
    if (drawn[2] > LEAST && drawn[3] > LEAST) masks = [...masks, drawn];
    show();
  });
  canvas.addEventListener("pointercancel", () => { from = null; show(); });
  place.querySelector("[data-undo]").addEventListener("click", () => { masks = masks.slice(0, -1); show(); });
}
