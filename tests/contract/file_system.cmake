varve_test(varve_file_system_contract_tests LABEL contract
  SOURCES file_system_contract_test.cc
  LIBRARIES varve_test_support)
