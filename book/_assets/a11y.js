// Wide formulas, code and tables scroll in their own box; tools/sphinx_markup.py mends the markup.
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
})();
