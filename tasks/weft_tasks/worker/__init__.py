"""The worker: Celery tasks, and what they reach. The only place that knows Celery."""
