"""What notebook 07 stands on: models side by side, what it measures of finished runs, and the page that it makes."""
