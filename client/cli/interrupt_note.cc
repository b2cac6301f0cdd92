#include "client/cli/interrupt_note.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>

#include "client/cli/terminal.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM};

// Owned by the note; a signal may come at any moment.
std::atomic<const char*> text_of_process{nullptr};

void TellAndEnd(int signal) {
  if (const char* const text = text_of_process.load()) {
    static_cast<void>(!write(STDERR_FILENO, text, std::strlen(text)));
  }
  std::signal(signal, SIG_DFL);
  raise(signal);
}

void SetHandlers(bool tell) {
  for (const int signal : kSignals) {
    struct sigaction current {};
    if (sigaction(signal, nullptr, &current) != 0 || current.sa_handler == SIG_IGN) continue;
    std::signal(signal, tell ? TellAndEnd : SIG_DFL);
  }
}

}  // namespace

InterruptNote::InterruptNote(std::string_view sentence)
    // A terminal shows "^C" first.
    : text_(StrCat(IsTerminal(STDERR_FILENO) ? "\n" : "", "varve: interrupted; ", sentence, "\n")) {
  text_of_process = text_.c_str();
  SetHandlers(true);
}

InterruptNote::~InterruptNote() {
  SetHandlers(false);
  text_of_process = nullptr;
}

}  // namespace varve
