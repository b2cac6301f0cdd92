varve_test(storage_images_tests LABEL unit
  SOURCES
    images/images_work_test.cc
  LIBRARIES varve_test_support Threads::Threads)
