// The photo of a sign: made small on the phone, since a box passes on half a megabyte at most.
const LARGEST = 500 * 1024;
const LONGEST_SIDE = 1600;

export function sendSigns(main) {
  for (const place of main.querySelectorAll(".sign")) {
    place.querySelector("input").addEventListener("change", (event) => send(place, event.target));
  }
}

async function send(place, input) {
  const said = place.querySelector("[role=status]");
  const [file] = input.files;
  if (!file) return;
  said.textContent = place.dataset.sending;
  const photo = await small(file).catch(() => null);
  if (!photo) {
    said.textContent = place.dataset.unusable;
    return;
  }
  try {
    const answer = await fetch(place.dataset.to, { method: "PUT", body: photo, headers: { "Content-Type": "image/jpeg" } });
    said.textContent = answer.ok ? place.dataset.sent : `${place.dataset.failed} ${await answer.text()}`;
  } catch {
    said.textContent = place.dataset.failed;
  }
  input.value = "";
}

async function small(file) {
  const picture = await createImageBitmap(file);
  const scale = Math.min(1, LONGEST_SIDE / Math.max(picture.width, picture.height));
  const canvas = Object.assign(document.createElement("canvas"), { width: Math.round(picture.width * scale), height: Math.round(picture.height * scale) });
  canvas.getContext("2d").drawImage(picture, 0, 0, canvas.width, canvas.height);
  for (const quality of [0.85, 0.7, 0.5, 0.3]) {
    const jpeg = await new Promise((take) => canvas.toBlob(take, "image/jpeg", quality));
    if (jpeg && jpeg.size <= LARGEST) return jpeg;
  }
  return null;
}
