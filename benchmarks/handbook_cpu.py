"""The handbook's CPU loop (section 1.1), bare: nothing but torch, and the clock read around each product.

Prints the nanoseconds of each iteration as JSON. The handbook reads the clock once before and once after its loop; two
reads a product, 0.1 µs, are what it takes to compare medians with medians.
"""

from __future__ import annotations

import json
import sys
import time

import torch


def run_matmul_on_cpu(batch_size: int, hidden_size: int, intermediate_size: int, iterations: int) -> list[int]:
    device = torch.device("cpu")
    input_tensor = torch.randn(batch_size, hidden_size, dtype=torch.float32).to(device)
    weight_matrix = torch.randn(hidden_size, intermediate_size, dtype=torch.float32).to(device)
    times_ns = []
    for _ in range(iterations):
        start_time = time.perf_counter_ns()
        output_tensor = torch.matmul(input_tensor, weight_matrix)
        end_time = time.perf_counter_ns()
        times_ns.append(end_time - start_time)
    del input_tensor, weight_matrix, output_tensor
    return times_ns


if __name__ == "__main__":
    print(json.dumps(run_matmul_on_cpu(*(int(number) for number in sys.argv[1:]))))
