// Joins the parts of MathJax that tools/formulas.py has loaded into V8: TeX in, CHTML and MathML out.
"use strict";
const { mathjax } = MathJax._.mathjax;
const adaptor = MathJax._.adaptors.liteAdaptor.liteAdaptor();
const handler = MathJax._.handlers.html_ts.RegisterHTMLHandler(adaptor);
MathJax._.a11y["assistive-mml"].AssistiveMmlHandler(handler);
const visitor = new MathJax._.core.MmlTree.SerializedMmlVisitor.SerializedMmlVisitor();

// An error is thrown, not drawn, and without noundefined an unknown macro is one. No package that
// defines macros (what one formula means must not depend on those drawn before it), nor braket, which
// makes another sign of \|.
const input = new MathJax._.input.tex_ts.TeX({
  packages: ["base", "ams", "boldsymbol", "cancel", "html"],
  formatError: (jax, error) => { throw error; },
});
const fontURL = "mathjax"; // seen from the folder of the style sheet
const font = new MathJax._.output.chtml.fonts.tex_ts.TeXFont({ fontURL });
const output = new MathJax._.output.chtml_ts.CHTML({ fontURL, font });
const paper = mathjax.document("", { InputJax: input, OutputJax: output });

// Lengths are written in em, so that the size only matters to what TeX gives in pixels.
const size = { em: 16, ex: 8, containerWidth: 80 * 16 };
const { CONVERT } = MathJax._.core.MathItem.STATE;
const drawings = {
  chtml: (tex, display) => adaptor.outerHTML(paper.convert(tex, { display, ...size })),
  mathml: (tex, display) => visitor.visitTree(paper.convert(tex, { display, ...size, end: CONVERT })),
};
const style = () => adaptor.textContent(paper.documentStyleSheet());

// Exceptions of V8 carry the source of MathJax with them, hence errors as values.
function draw(kind, tex, display) {
  try {
    return JSON.stringify({ drawn: drawings[kind](tex, display) });
  } catch (error) {
    return JSON.stringify({ error: error.message });
  }
}
