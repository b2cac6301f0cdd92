# Configuration, log and command line, then the daemon itself.
add_library(varve_daemon_base STATIC
  ${CMAKE_CURRENT_LIST_DIR}/command_line.cc
  ${CMAKE_CURRENT_LIST_DIR}/config.cc
  ${CMAKE_CURRENT_LIST_DIR}/config_keys.cc
  ${CMAKE_CURRENT_LIST_DIR}/config_values.cc
  ${CMAKE_CURRENT_LIST_DIR}/health_watch.cc
  ${CMAKE_CURRENT_LIST_DIR}/log.cc
  ${CMAKE_CURRENT_LIST_DIR}/maintenance.cc
  ${CMAKE_CURRENT_LIST_DIR}/own_hosts.cc
  ${CMAKE_CURRENT_LIST_DIR}/periodic_thread.cc
  ${CMAKE_CURRENT_LIST_DIR}/scheduled_prune.cc
  ${CMAKE_CURRENT_LIST_DIR}/second_text.cc
  ${CMAKE_CURRENT_LIST_DIR}/service_manager.cc
  ${CMAKE_CURRENT_LIST_DIR}/unix_socket.cc)
target_compile_definitions(varve_daemon_base PUBLIC VARVE_VERSION="${PROJECT_VERSION}")
target_include_directories(varve_daemon_base SYSTEM PRIVATE ${CLI11_INCLUDE_DIR})
# toml++ is used header-only, without exceptions: its CMake target would link the throwing form.
target_link_libraries(varve_daemon_base
  PUBLIC varve_storage absl::status absl::statusor absl::strings absl::time absl::span
  PRIVATE varve_warnings)

add_executable(varved ${CMAKE_CURRENT_LIST_DIR}/main.cc)
target_link_libraries(varved PRIVATE varve_daemon_base varve_http varve_grpc varve_storage
                      varve_warnings)
install(TARGETS varved RUNTIME)
