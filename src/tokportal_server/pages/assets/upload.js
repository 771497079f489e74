"use strict";
// Files for a field, dropped or chosen: sent in the background with progress, checked by the server
// like any upload, and written into the field by the path that they got. The server answers with a
// way back to the form, in whose address that path is.
{
  function send(box, file, token) {
    const form = new FormData();
    form.append("form_token", token);
    form.append("into", box.dataset.into);
    form.append("position", box.dataset.position);
    form.append("file", file, file.name);
    const bar = box.querySelector("progress");
    const told = box.querySelector(".told");
    return new Promise((resolve, reject) => {
      const request = new XMLHttpRequest();
      request.open("POST", box.dataset.upload);
      request.upload.addEventListener("progress", (event) => {
        if (!event.lengthComputable) return;
        bar.value = (100 * event.loaded) / event.total;
        told.textContent = event.loaded === event.total ? box.dataset.checking : `${box.dataset.sending} ${file.name}`;
      });
      request.addEventListener("load", () => {
        const path = new URL(request.responseURL).searchParams.get("file");
        if (request.status === 200 && path) resolve(path);
        else reject(new Error(reason(request) || box.dataset.failed));
      });
      request.addEventListener("error", () => reject(new Error(box.dataset.failed)));
      request.send(form);
    });
  }

  function reason(request) {
    const page = new DOMParser().parseFromString(request.responseText, "text/html");
    return page.querySelector("[role=alert]")?.textContent.trim();
  }

  function preview(box, path, file) {
    const shown = document.createElement(file.type.startsWith("video/") ? "video" : "img");
    shown.src = `/media/${path}`;
    if (shown.tagName === "VIDEO") shown.controls = true; else shown.alt = file.name;
    const place = box.querySelector(".shown");
    if (!box.querySelector("input[type=file]").multiple) place.replaceChildren();
    place.append(shown);
  }

  async function take(box, files) {
    const target = document.getElementById(box.dataset.target);
    const chooser = box.querySelector("input[type=file]");
    const bar = box.querySelector("progress");
    const told = box.querySelector(".told");
    const token = box.closest("form").elements.form_token.value;
    told.classList.remove("wrong");
    box.setAttribute("aria-busy", "true");
    try {
      for (const file of chooser.multiple ? files : [...files].slice(0, 1)) {
        if (file.size > Number(box.dataset.most)) throw new Error(box.dataset.large);
        bar.hidden = false;
        bar.value = 0;
        told.textContent = `${box.dataset.sending} ${file.name}`;
        const path = await send(box, file, token);
        target.value = chooser.multiple && target.value.trim() ? `${target.value.trim()}\n${path}` : path;
        target.dispatchEvent(new Event("input", { bubbles: true }));
        preview(box, path, file);
        told.textContent = `${box.dataset.done} ${file.name}`;
      }
    } catch (error) {
      told.textContent = error.message;
      told.classList.add("wrong");
    } finally {
      bar.hidden = true;
      chooser.value = "";
      box.removeAttribute("aria-busy");
    }
  }

  function prepare() {
    for (const box of document.querySelectorAll(".drop[data-upload]")) box.hidden = false;
  }

  document.addEventListener("change", (event) => {
    const box = event.target.type === "file" && event.target.closest(".drop[data-upload]");
    if (box && event.target.files.length) take(box, [...event.target.files]);
  });
  document.addEventListener("dragover", (event) => {
    const box = event.target.closest?.(".drop[data-upload]");
    if (!box) return;
    event.preventDefault();
    box.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    event.target.closest?.(".drop[data-upload]")?.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    const box = event.target.closest?.(".drop[data-upload]");
    if (!box) return;
    event.preventDefault();
    box.classList.remove("over");
    if (event.dataTransfer.files.length) take(box, [...event.dataTransfer.files]);
  });
  document.addEventListener("page:shown", prepare);
  prepare();
}
