# Configuration, log and command line, then the daemon itself.
add_library(varve_daemon_base STATIC
  command_line.cc
  config.cc
  config_keys.cc
  config_values.cc
  health_watch.cc
  log.cc
  maintenance.cc
  own_hosts.cc
  periodic_thread.cc
  scheduled_prune.cc
  second_text.cc
  service_manager.cc
  unix_socket.cc)
target_compile_definitions(varve_daemon_base PUBLIC VARVE_VERSION="${PROJECT_VERSION}")
target_include_directories(varve_daemon_base SYSTEM PRIVATE ${CLI11_INCLUDE_DIR})
# toml++ is used header-only, without exceptions: its CMake target would link the throwing form.
target_link_libraries(varve_daemon_base
  PUBLIC varve_storage absl::status absl::statusor absl::strings absl::time absl::span
  PRIVATE varve_warnings)

add_executable(varved main.cc)
target_link_libraries(varved PRIVATE varve_daemon_base varve_http varve_grpc varve_storage
                      varve_warnings)
install(TARGETS varved RUNTIME COMPONENT runtime)
