#include "storage/blob/write_pipeline.h"

#include <algorithm>
#include <cstring>
#include <system_error>

#include "storage/base/check.h"
#include "storage/base/status.h"

namespace varve {
namespace {

// Of 4, 8 and 32 MiB as kLargeBlobBytes, 8 took a fifth less processor time than 32 for the same
// mix of pulls and pushes (mixed_trace, commit a67e287); 4 gained nothing more.

// What every disk takes for direct writes; logical blocks have 512 or 4,096 bytes.
constexpr size_t kBlockBytes = 4096;
static_assert(kWritePieceBytes % kBlockBytes == 0);
// Write-back of what goes through the page cache starts in steps of this size.
constexpr uint64_t kWritebackBytes = 8 * kMiB;

}  // namespace

std::unique_ptr<WritePipeline> WritePipeline::Start(WritableFile& file, Hasher& hasher,
                                                    std::atomic<size_t>& running,
                                                    PageCacheBudget& page_cache,
                                                    uint64_t expected_bytes) {
  std::unique_ptr<WritePipeline> pipeline(new WritePipeline(file, hasher, running, page_cache));
  const bool started = running.load(std::memory_order_relaxed) <= kMaxWritePipelines &&
                       pipeline->Allocate() && pipeline->StartThreads();
  if (!started) return nullptr;
  if (expected_bytes > page_cache.capacity_bytes()) pipeline->BypassPageCache();
  return pipeline;
}

WritePipeline::WritePipeline(WritableFile& file, Hasher& hasher, std::atomic<size_t>& running,
                             PageCacheBudget& page_cache)
    : file_(file), hasher_(hasher), running_(running), page_cache_(page_cache) {
  running_.fetch_add(1, std::memory_order_relaxed);
  writeback_bytes_ = hasher.bytes_hashed();
  BeginPiece(hasher.bytes_hashed());
}

WritePipeline::~WritePipeline() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.NotifyAll();
  for (Stage* stage : {&hashing_, &writing_}) {
    if (stage->thread.joinable()) stage->thread.join();
  }
  const size_t running = running_.fetch_sub(1, std::memory_order_relaxed);
  CheckInvariant(running > 0, "a pipeline that ends was counted");
}

bool WritePipeline::Allocate() {
  for (Piece& piece : pieces_) {
    piece.memory.reset(static_cast<char*>(std::aligned_alloc(kBlockBytes, kWritePieceBytes)));
    if (piece.memory == nullptr) return false;
  }
  return true;
}

bool WritePipeline::StartThreads() {
  try {
    for (Stage* stage : {&hashing_, &writing_}) {
      stage->thread = std::thread([this, stage] { Run(*stage); });
    }
  } catch (const std::system_error&) {
    return false;
  }
  return true;
}

uint64_t WritePipeline::Done() const { return std::min(hashing_.done, writing_.done); }

WritePipeline::Piece* WritePipeline::Next(const Stage& stage) {
  MutexLock lock(mutex_);
  while (stage.done == filled_ && !stopping_) changed_.Wait(mutex_);
  return stopping_ ? nullptr : &PieceOf(stage.done);
}

void WritePipeline::Run(Stage& stage) {
  while (Piece* const piece = Next(stage)) {
    // After an error too, so that nobody waits for ever: the file is discarded anyway.
    const absl::Status status = (this->*stage.work)(*piece);
    MutexLock lock(mutex_);
    status_.Update(status);
    ++stage.done;
    changed_.NotifyAll();
  }
}

absl::Status WritePipeline::Hash(Piece& piece) {
  CheckInvariant(piece.hashed <= piece.end && piece.end <= kWritePieceBytes,
                 "what is hashed of a piece lies in its cell");
  CheckInvariant(hasher_.bytes_hashed() == piece.cell_offset + piece.hashed,
                 "an upload is hashed in order, without a gap");
  hasher_.Update({piece.memory.get() + piece.hashed, piece.end - piece.hashed});
  piece.hashed = piece.end;
  return absl::OkStatus();
}

absl::Status WritePipeline::Write(Piece& piece) {
  CheckInvariant(piece.begin <= piece.written && piece.written <= piece.end,
                 "what is written of a piece lies in it");
  if (piece.written == piece.end) return absl::OkStatus();
  if (!bypasses_page_cache_ && !page_cache_.Take(piece.end - piece.written)) {
    BypassPageCache();
  }
  // Of the block in which an earlier Drain ended, that part is written again, the same bytes: only
  // whole blocks go past the page cache.
  const size_t from = std::max(piece.begin, piece.written - piece.written % kBlockBytes);
  RETURN_IF_ERROR(
      file_.WriteAt(piece.cell_offset + from, {piece.memory.get() + from, piece.end - from}));
  piece.written = piece.end;
  const uint64_t end = piece.cell_offset + piece.end;
  if (end - writeback_bytes_ >= kWritebackBytes) {
    file_.StartWriteback({writeback_bytes_, end - writeback_bytes_});
    writeback_bytes_ = end;
  }
  return absl::OkStatus();
}

void WritePipeline::BypassPageCache() {
  bypasses_page_cache_ = true;
  file_.BypassPageCache();
}

void WritePipeline::BeginPiece(uint64_t offset) {
  MutexLock lock(mutex_);
  Piece& piece = PieceOf(filled_);
  const size_t in_cell = static_cast<size_t>(offset % kWritePieceBytes);
  piece.cell_offset = offset - in_cell;
  piece.begin = piece.hashed = piece.written = piece.end = in_cell;
}

absl::Status WritePipeline::HandOver() {
  uint64_t next_offset = 0;
  {
    MutexLock lock(mutex_);
    next_offset = PieceOf(filled_).cell_offset + kWritePieceBytes;
    ++filled_;
    changed_.NotifyAll();
    CheckInvariant(filled_ >= Done() && filled_ - Done() <= pieces_.size(),
                   "a piece that is not done is not filled again");
    while (filled_ - Done() == pieces_.size()) changed_.Wait(mutex_);
    RETURN_IF_ERROR(status_);
  }
  BeginPiece(next_offset);
  return absl::OkStatus();
}

absl::Status WritePipeline::Append(std::string_view bytes) {
  while (!bytes.empty()) {
    Piece* piece = nullptr;
    {
      MutexLock lock(mutex_);
      RETURN_IF_ERROR(status_);
      piece = &PieceOf(filled_);
    }
    const size_t size = std::min(bytes.size(), kWritePieceBytes - piece->end);
    CheckInvariant(size > 0 && piece->end + size <= kWritePieceBytes, "a piece stays in its cell");
    std::memcpy(piece->memory.get() + piece->end, bytes.data(), size);
    piece->end += size;
    bytes.remove_prefix(size);
    if (piece->end == kWritePieceBytes) RETURN_IF_ERROR(HandOver());
  }
  return absl::OkStatus();
}

absl::Status WritePipeline::Drain() {
  Piece* piece = nullptr;
  {
    MutexLock lock(mutex_);
    while (Done() != filled_) changed_.Wait(mutex_);
    RETURN_IF_ERROR(status_);
    piece = &PieceOf(filled_);
  }
  RETURN_IF_ERROR(Hash(*piece));
  const absl::Status written = Write(*piece);
  MutexLock lock(mutex_);
  status_.Update(written);
  return status_;
}

}  // namespace varve
