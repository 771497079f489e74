"use strict";
// While something is on its way to the server (data-waiting), the page asks for itself now and then:
// that a file has arrived is no event of an order, so nobody would tell it.
{
  const every = 4000;
  setInterval(() => {
    if (!document.hidden && document.querySelector("main [data-waiting]")) {
      document.dispatchEvent(new CustomEvent("page:ask"));
    }
  }, every);
}
