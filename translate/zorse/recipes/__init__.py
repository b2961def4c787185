"""Published methods: one method, one file, one page. Recipes share functions, never a base class."""
