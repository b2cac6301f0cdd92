varve_test(storage_check_tests LABEL unit THREADS
  SOURCES
    check/reference_check_test.cc
  LIBRARIES varve_test_support varve_flaky_index varve_crash_replay Threads::Threads)
