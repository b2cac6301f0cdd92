varve_test(storage_promises_tests LABEL unit THREADS
  SOURCES
    promises/promises_test.cc
  LIBRARIES varve_test_support Threads::Threads)
