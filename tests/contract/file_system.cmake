varve_test(contract_file_system_tests LABEL contract THREADS
  SOURCES file_system_contract_test.cc file_system_difference_test.cc
  LIBRARIES varve_test_support)
