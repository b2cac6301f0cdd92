varve_test(storage_blob_tests LABEL unit THREADS
  SOURCES
    blob/blob_copies_test.cc
    blob/blob_files_test.cc
    blob/blob_store_test.cc
    blob/damage_reports_test.cc
    blob/directory_syncs_test.cc
    blob/id_allocator_test.cc
    blob/idle_uploads_test.cc
    blob/page_cache_budget_test.cc
    blob/removals_test.cc
    blob/reserve_file_test.cc
    blob/space_test.cc
    blob/unnamed_files_test.cc
    blob/upload_bytes_test.cc
    blob/upload_table_test.cc
    blob/write_pipeline_test.cc
  LIBRARIES varve_test_support varve_flaky_index Threads::Threads)
