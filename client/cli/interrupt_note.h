// What a person is told who ends a command with Ctrl-C: how the work goes on. One at a time in a
// process; one thread.
#ifndef VARVE_CLIENT_CLI_INTERRUPT_NOTE_H_
#define VARVE_CLIENT_CLI_INTERRUPT_NOTE_H_

#include <string>
#include <string_view>

namespace varve {

// While it lives, SIGINT and SIGTERM end the process as ever, and the sentence is written to
// standard error before that. A signal that the parent ignores stays ignored.
class InterruptNote {
 public:
  // `sentence` follows "varve: interrupted; ".
  explicit InterruptNote(std::string_view sentence);
  ~InterruptNote();
  InterruptNote(const InterruptNote&) = delete;
  InterruptNote& operator=(const InterruptNote&) = delete;

 private:
  const std::string text_;
};

}  // namespace varve

#endif  // VARVE_CLIENT_CLI_INTERRUPT_NOTE_H_
