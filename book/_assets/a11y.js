// Mends what an accessibility checker finds in the theme (sphinx-book-theme 1.3, pydata 0.17).
(function () {
  "use strict";

  function all(selector, change) {
    document.querySelectorAll(selector).forEach(change);
  }

  // Names that contradict the visible text.
  all(".search-button-field", function (button) {
    button.removeAttribute("aria-label");
    button.removeAttribute("title");
  });

  // The sidebar stands outside any landmark.
  var side = document.getElementById("pst-primary-sidebar");
  if (side) {
    side.setAttribute("role", "complementary");
    side.setAttribute("aria-label", "Book navigation");
  }

  // What scrolls in itself must be reachable by keyboard; what does not scroll must not be a stop.
  function reachable() {
    all(".bd-article pre, .bd-article mjx-container, .pst-scrollable-table-container", function (box) {
      if (box.scrollWidth > box.clientWidth + 1) {
        box.tabIndex = 0;
      } else if (box.getAttribute("tabindex") === "0") {
        box.removeAttribute("tabindex");
      }
    });
  }
  window.addEventListener("load", function () {
    var maths = window.MathJax && window.MathJax.startup && window.MathJax.startup.promise;
    Promise.resolve(maths).then(reachable);
  });
  window.addEventListener("resize", reachable);
})();
