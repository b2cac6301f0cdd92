# Sources are relative to tests/storage/; append a file on its own line.
varve_test(storage_catalog_tests
  LABEL unit
  SOURCES
    catalog/canonical_name_test.cc
    catalog/canonical_repositories_test.cc
    catalog/catalog_schedules_test.cc
    catalog/expiry_test.cc
    catalog/image_config_test.cc
    catalog/image_filter_test.cc
    catalog/images_work_test.cc
    catalog/manifest_test.cc
    catalog/names_test.cc
    catalog/platform_test.cc
    catalog/promises_test.cc
    catalog/repositories_test.cc
    catalog/round_trips_test.cc
    catalog/time_text_test.cc
  LIBRARIES varve_test_support Threads::Threads)
