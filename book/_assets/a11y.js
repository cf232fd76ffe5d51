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

  // A role that has been taken out of the standard.
  all('.citation[role="doc-biblioentry"]', function (entry) {
    entry.setAttribute("role", "listitem");
  });

  // A signature over several lines is set as a list of definitions without terms: make it lines.
  all("dt.sig dl", function (list) {
    var lines = document.createElement("span");
    lines.className = "sig-lines";
    list.querySelectorAll("dd").forEach(function (entry) {
      var line = document.createElement("span");
      line.append(...entry.childNodes);
      lines.append(line);
    });
    list.replaceWith(lines);
  });

  // The triangle beside a chapter, which folds its sub-pages, has no name.
  all(".bd-sidebar-primary details > summary", function (summary) {
    var entry = summary.closest("li").querySelector("a");
    summary.setAttribute("aria-label", "Pages of " + (entry ? entry.textContent.trim() : "this part"));
  });

  // What scrolls in itself must be reachable by keyboard; what does not scroll must not be a stop.
  function reachable() {
    all(".bd-article span.math", function (formula) {
      formula.classList.remove("wide");
      var room = formula.closest("p, li, dd, td, figcaption, div");
      formula.classList.toggle("wide", formula.offsetWidth > room.clientWidth);
    });
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
