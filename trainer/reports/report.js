// The theme button and sortable tables. ?theme=dark or ?theme=light decides the colours; otherwise what was chosen last,
// otherwise the system.
(function () {
  var root = document.documentElement;
  var button = document.querySelector('.theme');
  var system = matchMedia('(prefers-color-scheme: dark)');

  function store(theme) {
    try { localStorage.setItem('theme', theme); } catch (error) { /* not allowed for local files everywhere */ }
  }
  function stored() {
    try { return localStorage.getItem('theme'); } catch (error) { return null; }
  }
  function isDark() {
    return (root.dataset.theme || (system.matches ? 'dark' : 'light')) === 'dark';
  }
  function updateButton() {
    button.textContent = isDark() ? 'Light colours' : 'Dark colours';
  }
  var theme = new URLSearchParams(location.search).get('theme') || stored();
  if (theme === 'dark' || theme === 'light') root.dataset.theme = theme;
  button.hidden = false;
  updateButton();
  system.addEventListener('change', updateButton);
  button.addEventListener('click', function () {
    root.dataset.theme = isDark() ? 'light' : 'dark';
    store(root.dataset.theme);
    updateButton();
  });

  document.querySelectorAll('th button').forEach(function (heading) {
    heading.addEventListener('click', function () {
      var head = heading.closest('th');
      var table = heading.closest('table');
      var body = table.tBodies[0];
      var column = Array.prototype.indexOf.call(head.parentNode.children, head);
      var order = head.getAttribute('aria-sort') || '';
      var ascending = order ? order === 'descending' : head.dataset.first === 'up';
      table.querySelectorAll('th[aria-sort]').forEach(function (sorted) { sorted.removeAttribute('aria-sort'); });
      head.setAttribute('aria-sort', ascending ? 'ascending' : 'descending');

      function value(row) { return row.cells[column].dataset.v || ''; }
      Array.from(body.rows).sort(function (a, b) {
        var x = value(a), y = value(b);
        if (x === '' || y === '') return (x === '') - (y === '');
        var difference = isNaN(x) || isNaN(y) ? x.localeCompare(y) : x - y;
        return ascending ? difference : -difference;
      }).forEach(function (row) { body.append(row); });
    });
  });
})();
