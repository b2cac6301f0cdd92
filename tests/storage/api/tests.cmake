varve_test(storage_api_tests LABEL unit THREADS
  SOURCES
    api/event_log_test.cc
  LIBRARIES varve_test_support Threads::Threads)
