"""What `sakuga paint` is given: pictures, folders and clips, planned and done one by one."""
