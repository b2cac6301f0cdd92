varve_test(storage_images_tests LABEL unit THREADS
  SOURCES
    images/images_work_test.cc
  LIBRARIES varve_test_support Threads::Threads)
