// The progress of several transfers at once. On a terminal, one row each below the output so far,
// redrawn in place at most ten times a second; otherwise one plain line when a transfer is done.
//
// Between two writes the cursor always stands at the start of the line below the rows and nothing
// of the terminal is switched off: there is nothing to restore when a signal ends the process.
// Thread-safe; owned by the command. Names come from outside and are cleaned before they are shown.
#ifndef VARVE_CLIENT_CLI_PROGRESS_H_
#define VARVE_CLIENT_CLI_PROGRESS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "client/cli/terminal.h"
#include "client/cli/transfer_rate.h"
#include "storage/base/clock.h"
#include "storage/base/mutex.h"

namespace varve {

struct ProgressOptions {
  enum class Form { kQuiet, kLines, kTerminal };

  Form form = Form::kQuiet;
  std::function<void(std::string_view text)> write;  // a frame or a line; one call at a time
  std::function<TerminalSize()> size = [] { return TerminalSize(); };
  bool ticks = false;  // a thread keeps rates honest while nothing comes
};

// On standard error, in the form that suits it; nothing at all when `quiet`.
ProgressOptions ProgressOnStandardError(bool quiet);

class Progress {
 public:
  using Row = uint64_t;

  explicit Progress(ProgressOptions options, Clock& clock = SystemClock());
  ~Progress();  // as Finish
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // A transfer begins, e.g. "layer sha256:8a3f…", with what it does now, e.g. "waiting".
  Row Add(std::string_view name, std::optional<uint64_t> total_bytes, std::string_view state);
  // What the transfer does now.
  void SetState(Row row, std::string_view state);
  // How many bytes of the whole it has now. The first call may be far from zero: a resumed
  // transfer.
  void SetBytes(Row row, uint64_t bytes);
  // It has ended; later calls for the row do nothing. `result` is "done", "already there",
  // "failed".
  void Complete(Row row, std::string_view result = "done");

  // A line of its own, above the rows.
  void Say(std::string_view line);
  // Leaves the rows as they stand; what is printed from now on appears below them.
  void Finish();
  // Draws if the last time is long enough ago. Every call above does it too.
  void Refresh();

 private:
  struct Transfer {
    std::string name;  // printable, as all text here
    std::string state;
    std::optional<uint64_t> total_bytes;
    int64_t started_nanos = 0;
    std::optional<int64_t> ended_nanos;
    std::optional<uint64_t> bytes;
    TransferRate rate;
  };
  struct Columns {
    size_t all = 0;
    size_t name = 0;
    size_t state = 0;
  };

  // The transfer of `row` unless it has ended.
  Transfer* Running(Row row) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Draw(bool even_if_early) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The rows that will not change any more and can scroll up: those before the first running one,
  // and when `room` does not suffice for all, every one that has ended.
  std::string TakeEnded(const Columns& columns, size_t room) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The rows below, at most `room` lines, the last of which tells of the others.
  std::string Rows(const Columns& columns, size_t room) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Columns MeasureColumns(size_t columns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  static std::string RowText(const Transfer& transfer, const Columns& columns, int64_t now_nanos);
  void Tick();

  const ProgressOptions options_;
  Clock& clock_;
  Mutex mutex_;
  std::map<Row, Transfer> rows_ ABSL_GUARDED_BY(mutex_);  // all that did not scroll up yet
  Row next_row_ ABSL_GUARDED_BY(mutex_) = 1;
  Columns widest_ ABSL_GUARDED_BY(mutex_);    // so far: what has scrolled up stays aligned
  std::string said_ ABSL_GUARDED_BY(mutex_);  // lines to come above the rows
  size_t lines_on_screen_ ABSL_GUARDED_BY(mutex_) = 0;
  std::optional<int64_t> drawn_nanos_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  ConditionVariable stop_;
  std::thread ticker_;
};

}  // namespace varve

#endif  // VARVE_CLIENT_CLI_PROGRESS_H_
