"""The pages of the dashboard, one module each: routes that read services and render a view."""
