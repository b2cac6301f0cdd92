#include "client/cli/progress.h"

#include <unistd.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_format.h"
#include "client/cli/output_file.h"
#include "client/cli/text.h"
#include "storage/base/str_cat.h"

namespace varve {
namespace {

using Form = ProgressOptions::Form;

constexpr int64_t kFrameNanos = kNanosPerSecond / 10;
constexpr std::chrono::milliseconds kTick{250};
constexpr size_t kMaxStateColumns = 16;
constexpr size_t kMinBarColumns = 10;
constexpr size_t kMaxBarColumns = 50;
constexpr std::string_view kGap = "  ";
constexpr std::string_view kEndOfLine = "\x1b[K\n";  // clears what an earlier frame left there

std::string Bar(uint64_t bytes, uint64_t total_bytes, size_t columns) {
  const size_t inside = columns - 2;
  const double share =
      total_bytes == 0 ? 1.0 : static_cast<double>(bytes) / static_cast<double>(total_bytes);
  const auto filled = static_cast<size_t>(std::min(share, 1.0) * static_cast<double>(inside));
  std::string bar(filled, '=');
  if (filled < inside) bar.push_back('>');
  bar.resize(inside, ' ');
  return StrCat("[", bar, "]");
}

// "0:07", "12:34", "1:02:03".
std::string ClockText(uint64_t seconds) {
  if (seconds < 3600) return absl::StrFormat("%d:%02d", seconds / 60, seconds % 60);
  return absl::StrFormat("%d:%02d:%02d", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

std::string ElapsedText(int64_t nanos) {
  const double seconds = static_cast<double>(nanos) / kNanosPerSecond;
  return seconds < 60 ? absl::StrFormat("%.1f s", seconds)
                      : ClockText(static_cast<uint64_t>(seconds));
}

std::string EndedText(std::optional<uint64_t> bytes, int64_t nanos) {
  return bytes ? StrCat(HumanSize(*bytes), " in ", ElapsedText(nanos)) : "";
}

// What a running transfer shows right of its state: the bar is given what the figures leave.
std::string FiguresText(uint64_t bytes, std::optional<uint64_t> total_bytes,
                        std::optional<uint64_t> rate, size_t columns) {
  std::vector<std::string> figures = {
      total_bytes ? absl::StrFormat("%15s", StrCat(HumanSize(bytes), "/", HumanSize(*total_bytes)))
                  : absl::StrFormat("%7s", HumanSize(bytes))};
  if (rate) {
    figures.push_back(absl::StrFormat("%9s", StrCat(HumanSize(*rate), "/s")));
    if (total_bytes && *rate > 0 && bytes < *total_bytes) {
      figures.push_back("ETA " + ClockText((*total_bytes - bytes + *rate - 1) / *rate));
    }
  }
  std::string text;
  for (const std::string& figure : figures) {
    if (text.size() + kGap.size() + figure.size() > columns) break;
    text.append(kGap).append(figure);
  }
  // As if rate and ETA were there, so that the bar keeps its length while they come and go.
  constexpr size_t kFiguresColumns = 2 + 15 + 2 + 9 + 2 + 8;
  const size_t right = std::max(text.size(), kFiguresColumns) + kGap.size();
  if (!total_bytes || columns < right + kMinBarColumns) return text;
  return StrCat(kGap, Bar(bytes, *total_bytes, std::min(columns - right, kMaxBarColumns)), text);
}

}  // namespace

ProgressOptions ProgressOnStandardError(bool quiet) {
  ProgressOptions options;
  if (quiet) return options;
  options.form = IsTerminal(STDERR_FILENO) ? Form::kTerminal : Form::kLines;
  // When nobody reads it, the transfer goes on all the same.
  options.write = [](std::string_view text) {
    WriteAll(STDERR_FILENO, text, "standard error").IgnoreError();
  };
  options.size = [] { return SizeOfTerminal(STDERR_FILENO); };
  options.ticks = options.form == Form::kTerminal;
  return options;
}

Progress::Progress(ProgressOptions options, Clock& clock)
    : options_(std::move(options)), clock_(clock) {
  if (options_.ticks) ticker_ = std::thread(&Progress::Tick, this);
}

Progress::~Progress() {
  if (ticker_.joinable()) {
    {
      MutexLock lock(mutex_);
      stopping_ = true;
      stop_.NotifyAll();
    }
    ticker_.join();
  }
  Finish();
}

Progress::Row Progress::Add(std::string_view name, std::optional<uint64_t> total_bytes,
                            std::string_view state) {
  MutexLock lock(mutex_);
  const Row row = next_row_++;
  Transfer& transfer = rows_[row];
  transfer.name = Printable(name);
  transfer.state = Printable(state);
  transfer.total_bytes = total_bytes;
  transfer.started_nanos = clock_.MonotonicNanos();
  Draw(false);
  return row;
}

void Progress::SetState(Row row, std::string_view state) {
  MutexLock lock(mutex_);
  Transfer* const transfer = Running(row);
  if (transfer == nullptr) return;
  transfer->state = Printable(state);
  Draw(false);
}

void Progress::SetBytes(Row row, uint64_t bytes) {
  MutexLock lock(mutex_);
  Transfer* const transfer = Running(row);
  if (transfer == nullptr) return;
  transfer->bytes = bytes;
  transfer->rate.Record(clock_.MonotonicNanos(), bytes);
  Draw(false);
}

void Progress::Complete(Row row, std::string_view result) {
  MutexLock lock(mutex_);
  Transfer* const transfer = Running(row);
  if (transfer == nullptr) return;
  transfer->state = Printable(result);
  transfer->ended_nanos = clock_.MonotonicNanos();
  if (options_.form == Form::kTerminal) return Draw(false);
  if (options_.form == Form::kLines) {
    const std::string figures =
        EndedText(transfer->bytes, *transfer->ended_nanos - transfer->started_nanos);
    options_.write(
        StrCat(transfer->name, ": ", transfer->state, figures.empty() ? "" : ", ", figures, "\n"));
  }
  rows_.erase(row);
}

void Progress::Say(std::string_view line) {
  MutexLock lock(mutex_);
  const std::string printable = Printable(line);
  if (options_.form == Form::kLines) options_.write(printable + "\n");
  if (options_.form != Form::kTerminal) return;
  said_.append(printable).append(kEndOfLine);
  Draw(false);
}

void Progress::Finish() {
  MutexLock lock(mutex_);
  Draw(true);
  rows_.clear();
  lines_on_screen_ = 0;
}

void Progress::Refresh() {
  MutexLock lock(mutex_);
  Draw(false);
}

Progress::Transfer* Progress::Running(Row row) {
  const auto found = rows_.find(row);
  return found == rows_.end() || found->second.ended_nanos ? nullptr : &found->second;
}

void Progress::Draw(bool even_if_early) {
  if (options_.form != Form::kTerminal || (rows_.empty() && said_.empty())) return;
  const int64_t now = clock_.MonotonicNanos();
  if (!even_if_early && drawn_nanos_ && now - *drawn_nanos_ < kFrameNanos) return;
  drawn_nanos_ = now;
  const TerminalSize size = options_.size();
  const Columns columns = MeasureColumns(size.columns);
  std::string frame = lines_on_screen_ == 0 ? "" : StrCat("\x1b[", lines_on_screen_, "A");
  frame.append(std::exchange(said_, ""));
  // One line is for the cursor.
  const size_t room = std::max<size_t>(size.lines, 2) - 1;
  frame.append(TakeEnded(columns, room)).append(Rows(columns, room));
  options_.write(frame + "\x1b[J");
}

std::string Progress::TakeEnded(const Columns& columns, size_t room) {
  std::string text;
  bool first_ones = true;
  const bool crowded = rows_.size() > room;
  for (auto row = rows_.begin(); row != rows_.end();) {
    first_ones = first_ones && row->second.ended_nanos;
    if (first_ones || (crowded && row->second.ended_nanos)) {
      text.append(RowText(row->second, columns, 0)).append(kEndOfLine);
      row = rows_.erase(row);
    } else {
      ++row;
    }
  }
  return text;
}

std::string Progress::Rows(const Columns& columns, size_t room) {
  std::string text;
  const bool crowded = rows_.size() > room;
  const size_t shown = crowded ? room - 1 : rows_.size();
  size_t count = 0;
  for (const auto& [row, transfer] : rows_) {
    if (count++ == shown) break;
    text.append(RowText(transfer, columns, clock_.MonotonicNanos())).append(kEndOfLine);
  }
  if (crowded) {
    const std::string others = StrCat("and ", rows_.size() - shown, " more");
    text.append(FitColumns(others, columns.all, false)).append(kEndOfLine);
  }
  lines_on_screen_ = shown + (crowded ? 1 : 0);
  return text;
}

Progress::Columns Progress::MeasureColumns(size_t columns) {
  for (const auto& [row, transfer] : rows_) {
    widest_.name = std::max(widest_.name, ColumnsOf(transfer.name));
    widest_.state = std::max(widest_.state, ColumnsOf(transfer.state));
  }
  // The last column stays free: some terminals wrap as soon as it is written.
  const size_t all = std::max<size_t>(columns, 2) - 1;
  return {.all = all,
          .name = std::min(widest_.name, all / 3),
          .state = std::min(widest_.state, kMaxStateColumns)};
}

std::string Progress::RowText(const Transfer& transfer, const Columns& columns, int64_t now_nanos) {
  std::string text =
      StrCat(FitColumns(transfer.name, columns.name, true), kGap,
             FitColumns(transfer.state, columns.state, !transfer.ended_nanos || transfer.bytes));
  const size_t used = columns.name + kGap.size() + columns.state;
  if (transfer.ended_nanos) {
    const std::string figures =
        EndedText(transfer.bytes, *transfer.ended_nanos - transfer.started_nanos);
    if (!figures.empty()) text.append(kGap).append(figures);
  } else if (transfer.bytes && used < columns.all) {
    text.append(FiguresText(*transfer.bytes, transfer.total_bytes,
                            transfer.rate.BytesPerSecond(now_nanos), columns.all - used));
  }
  return FitColumns(text, columns.all, false);
}

void Progress::Tick() {
  MutexLock lock(mutex_);
  while (!stopping_) {
    stop_.WaitFor(mutex_, kTick);
    if (!rows_.empty()) Draw(false);
  }
}

}  // namespace varve
