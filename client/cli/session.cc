#include "client/cli/session.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "client/cli/terminal.h"
#include "client/file_error.h"
#include "storage/base/status.h"
#include "storage/base/str_cat.h"

namespace varve {

absl::StatusOr<Client*> Session::Connect() {
  ASSIGN_OR_RETURN(client, Client::Connect(address));
  return client.get();
}

std::string Session::Explain(const absl::Status& status) const {
  if (absl::IsUnavailable(status) && client != nullptr && !client->connected()) {
    return StrCat("cannot reach the daemon at ", address,
                  "; start varved, or name another address with --address or VARVE_ADDRESS (",
                  ToStd(status.message()), ")");
  }
  if (absl::IsDeadlineExceeded(status)) {
    return StrCat("the daemon at ", address, " does not answer in time (", ToStd(status.message()),
                  ")");
  }
  return std::string(status.message());
}

bool Print(const std::string& text) {
  static const bool to_person = isatty(STDOUT_FILENO) != 0;
  const std::string& shown = to_person ? PrintableLines(text) : text;
  return std::fwrite(shown.data(), 1, shown.size(), stdout) == shown.size();
}

void PrintError(const std::string& sentence) {
  std::fprintf(stderr, "varve: %s\n", PrintableLines(sentence).c_str());
}

absl::Status FlushOutput() {
  const bool failed_before = std::ferror(stdout) != 0;
  if (std::fflush(stdout) == 0 && !failed_before) return absl::OkStatus();
  return FileError(errno, "write to standard output");
}

}  // namespace varve
