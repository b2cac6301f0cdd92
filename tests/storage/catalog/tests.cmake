varve_test(storage_catalog_tests LABEL unit THREADS
  SOURCES
    catalog/canonical_repositories_test.cc
    catalog/catalog_schedules_test.cc
    catalog/expiry_test.cc
    catalog/put_in_pages_test.cc
    catalog/repositories_test.cc
    catalog/round_trips_test.cc
  LIBRARIES varve_test_support varve_crash_replay Threads::Threads)
