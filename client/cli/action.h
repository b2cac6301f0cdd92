// How a command leaves what it does to the end of the command line.
#ifndef VARVE_CLIENT_CLI_ACTION_H_
#define VARVE_CLIENT_CLI_ACTION_H_

#include <CLI/CLI.hpp>
#include <memory>
#include <type_traits>

#include "absl/status/status.h"
#include "client/cli/session.h"

namespace varve {

// `action` is done with the arguments that the command line had. `check` refuses, before the daemon
// is asked, what is wrong usage: it throws CLI::ValidationError.
template <typename Arguments>
void SetAction(CLI::App& command, Session& session, const std::shared_ptr<Arguments>& arguments,
               absl::Status (*action)(Session&, const Arguments&),
               void (*check)(const std::type_identity_t<Arguments>&) = nullptr) {
  command.callback([&session, arguments, action, check] {
    if (check != nullptr) check(*arguments);
    session.action = [&session, arguments, action] { return action(session, *arguments); };
  });
}

}  // namespace varve

#endif  // VARVE_CLIENT_CLI_ACTION_H_
