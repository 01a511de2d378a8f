"""What is asked of bucket and database: each probe answers what it saw and judges nothing."""
