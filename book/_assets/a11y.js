// What a finished page cannot hold, since it depends on the window, the system or other scripts: wide
// formulas, code and tables scroll in their own box, and buttons have names that tell them apart. The
// markup itself is mended by tools/sphinx_markup.py.
(function () {
  "use strict";

  function all(selector, change) {
    document.querySelectorAll(selector).forEach(change);
  }

  // What scrolls in itself must be reachable by keyboard; what does not scroll must not be a stop.
  // Formulas with a role are a stop already, see symbols.js.
  function reachable() {
    all(".bd-article span.math", function (formula) {
      formula.classList.remove("wide");
      var room = formula.closest("p, li, dd, td, figcaption, div");
      formula.classList.toggle("wide", formula.offsetWidth > room.clientWidth);
    });
    all(".bd-article pre, .bd-article mjx-container:not([role]), .pst-scrollable-table-container", function (box) {
      if (box.scrollWidth > box.clientWidth + 1) {
        box.tabIndex = 0;
      } else if (box.getAttribute("tabindex") === "0") {
        box.removeAttribute("tabindex");
      }
    });
  }
  reachable();
  window.addEventListener("resize", reachable);

  // Where the system sets the colours, pictures and curves are those for its ground.
  const forced = window.matchMedia("(forced-colors: active)"), dark = window.matchMedia("(prefers-color-scheme: dark)");
  const root = document.documentElement;
  function follow() {
    const fit = dark.matches ? "dark" : "light";
    if (forced.matches && root.dataset.theme !== fit) root.dataset.theme = fit;
  }
  follow();
  new MutationObserver(follow).observe(root, { attributeFilter: ["data-theme"] }); // the theme sets its own
  for (const query of [forced, dark]) query.addEventListener("change", follow);

  // Paper is bright, whatever the screen is.
  let onScreen = "";
  window.addEventListener("beforeprint", function () {
    onScreen = root.dataset.theme;
    root.dataset.theme = "light";
  });
  window.addEventListener("afterprint", function () { root.dataset.theme = onScreen; });

  // sphinx-copybutton and sphinx-togglebutton add their buttons when the page has been read, before
  // this, and give all of them one name.
  document.addEventListener("DOMContentLoaded", function () {
    all("button.toggle-button", function (button) {
      const title = document.createElement("span");
      title.className = "visually-hidden";
      title.textContent = ` ${button.parentElement.textContent.trim()}`;
      button.append(title); // behind its own "Click to show"
      button.querySelector("svg").setAttribute("aria-hidden", "true");
      button.removeAttribute("aria-label");
    });

    const said = document.createElement("div");
    said.className = "visually-hidden";
    said.setAttribute("role", "status");
    document.body.append(said);
    // When it has copied, a button shows another icon, with a title, and says so in its tooltip.
    const changes = new MutationObserver(function (found) {
      for (const { target: button, type } of found) {
        button.querySelector("svg").setAttribute("aria-hidden", "true");
        if (type === "attributes") said.textContent = button.classList.contains("success") ? button.dataset.tooltip : "";
      }
    });
    const count = { code: 0, output: 0 };
    all("button.copybtn", function (button) {
      const block = document.querySelector(button.dataset.clipboardTarget);
      const what = block.closest(".cell_output") ? "output" : "code";
      const line = block.textContent.trim().split("\n")[0].slice(0, 60);
      button.setAttribute("aria-label", `Copy ${what} ${++count[what]}: ${line}`);
      button.querySelector("svg").setAttribute("aria-hidden", "true");
      changes.observe(button, { childList: true, attributeFilter: ["data-tooltip"] });
    });
  });
})();
