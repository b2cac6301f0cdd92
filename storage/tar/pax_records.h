// The records of a pax header, "<length> <key>=<value>\n" each, read as they come. Keeps those that
// say how many bytes the member after it stores, and forgets the others: memory does not depend on
// the records. What is malformed ends the reading; what was read before it counts. One thread.
#ifndef VARVE_STORAGE_TAR_PAX_RECORDS_H_
#define VARVE_STORAGE_TAR_PAX_RECORDS_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace varve {

class PaxRecords {
 public:
  void Feed(std::string_view bytes);

  // The record "size"; the last one counts.
  std::optional<uint64_t> size_bytes() const { return size_bytes_; }
  // GNU sparse 1.0: the stored bytes begin with the map of the file.
  bool data_begins_with_sparse_map() const { return sparse_major_ == 1 && sparse_minor_ == 0; }

 private:
  // The front of a key or value; longer ones are none that count.
  class Text {
   public:
    void Append(char c);
    void Clear() { size_ = 0; }
    std::string_view view() const { return {bytes_.data(), size_}; }
    bool whole() const { return size_ < bytes_.size(); }

   private:
    std::array<char, 24> bytes_ = {};
    size_t size_ = 0;
  };
  enum class State { kLength, kKey, kValue, kMalformed };

  void Take(char c);
  void TakeLength(char c);
  void EndRecord();

  State state_ = State::kLength;
  uint64_t length_bytes_ = 0;  // of the record, as it says
  uint64_t read_bytes_ = 0;    // of the record
  Text key_;
  Text value_;

  std::optional<uint64_t> size_bytes_;
  std::optional<uint64_t> sparse_major_;
  std::optional<uint64_t> sparse_minor_;
};

}  // namespace varve

#endif  // VARVE_STORAGE_TAR_PAX_RECORDS_H_
