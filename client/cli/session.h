// What the commands of `varve` share: the daemon they talk to and how they end.
#ifndef VARVE_CLIENT_CLI_SESSION_H_
#define VARVE_CLIENT_CLI_SESSION_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "client/client.h"

namespace varve {

struct Session {
  std::string address;                   // empty until Connect: DefaultDaemonAddress
  std::string lease;                     // that the command works for; empty: none
  std::unique_ptr<Client> client;        // made by Connect
  std::function<absl::Status()> action;  // of the command that was chosen
  bool told = false;                     // why it failed: the person knows it when the action ends

  // The client for `address`; does not wait for the daemon.
  absl::StatusOr<Client*> Connect();

  // The sentence for the person about why the command failed, with what to do about it.
  std::string Explain(const absl::Status& status) const;
  // Tells it at once, after what was printed so far, and not again when the command ends.
  void Tell(const absl::Status& status);
};

// Writes to standard output; to a terminal, without what could command it. False once writing has
// failed: then there is nobody to go on for.
bool Print(const std::string& text);

// Does `action` to every name in order, also after one that failed, and tells each failure at once.
// The first failure is the result.
absl::Status ForEachName(Session& session, const std::vector<std::string>& names,
                         const std::function<absl::Status(const std::string&)>& action);

// The same, and prints the names for which it worked, one a line; as JSON objects with `json_key`,
// unless that is empty.
absl::Status PrintEachName(Session& session, const std::vector<std::string>& names,
                           std::string_view json_key,
                           const std::function<absl::Status(const std::string&)>& action);

// Writes lines to standard error; to a terminal, without what could command it.
void PrintWarning(const std::string& text);

// Writes "varve: sentence" to standard error.
void PrintError(const std::string& sentence);

// OK when everything printed has reached standard output.
absl::Status FlushOutput();

}  // namespace varve

#endif  // VARVE_CLIENT_CLI_SESSION_H_
