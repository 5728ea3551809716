"""Where the work runs: forms, and how far memory rises."""

import errno
import math
import os

import pytest
import torch

from styler import device
from styler.device import Form
from styler.errors import InputError, is_shortage

CPU = torch.device("cpu")


def test_a_form_puts_tensors_in_its_number_type_and_layout():
    x = torch.rand(2, 3, 4, 5)
    y = Form(torch.bfloat16, torch.channels_last)(x)
    assert y.dtype == torch.bfloat16 and y.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(y.float(), x, atol=2**-8, rtol=0)
    assert torch.equal(Form()(x), x)


def test_precision_is_obeyed_and_auto_asks_the_processor(monkeypatch):
    assert device.form_for("float32", CPU) == Form(torch.float32, torch.channels_last)
    assert device.form_for("bfloat16", CPU) == Form(torch.bfloat16, torch.channels_last)
    for able, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda able=able: {"avx512_bf16": able})
        assert device.form_for("auto", CPU).dtype == dtype
    assert device.form_for("auto", torch.device("cuda")) == Form(torch.bfloat16, torch.contiguous_format)


@pytest.mark.skipif(device.free_memory(CPU) is None, reason="the system does not tell")
def test_memory_that_is_taken_and_given_back_is_seen():
    with device.peak_memory(CPU) as risen:
        del_me = torch.ones(64 << 20, dtype=torch.uint8)
        del del_me
        found = risen()
    if found is not None:  # Linux
        assert 48 << 20 < found < 160 << 20


def test_work_may_take_a_share_of_what_is_free_or_what_is_said(monkeypatch):
    monkeypatch.setattr(device, "free_memory", lambda place: 2**30)
    assert device.room_for(0, CPU) == 0.6 * 2**30 and device.room_for(0, CPU, 0.9) == 0.9 * 2**30
    assert device.room_for(2.5, CPU) == 2.5e9
    monkeypatch.setattr(device, "free_memory", lambda place: None)
    assert device.room_for(0, CPU) == math.inf


@pytest.mark.parametrize(
    ("counts", "shown"),
    [
        ((3.2e6, 1e5), ["0.0032 GB", "0.0001 GB"]),
        ((1.234e9, 1.229e9), ["1.234 GB", "1.229 GB"]),
        ((2e9,), ["2.0 GB"]),
        ((4e9, 1e9), ["4.0 GB", "1.0 GB"]),
        ((0, 0), ["0.000000000 GB", "0.000000000 GB"]),
    ],
)
def test_gigabytes_have_the_digits_that_tell_them_apart(counts, shown):
    assert device.gigabytes(*counts) == shown


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("could not create a primitive"),
        RuntimeError("could not execute a primitive"),
        RuntimeError("std::bad_alloc"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("GET was unable to find an engine to execute this computation"),
        RuntimeError("HIP error: hipErrorOutOfMemory"),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
        RuntimeError("unable to mmap 1000 bytes from file <a>: Cannot allocate memory (12)"),
        RuntimeError("can't start new thread"),
        SystemError("error return without exception set"),
        type("PanicException", (BaseException,), {})("PyObject pointer is null"),
    ],
    ids=str,
)
def test_a_lack_of_memory_is_known_in_any_dress(error):
    assert is_shortage(error)


@pytest.mark.parametrize(
    "error",
    [RuntimeError("shapes do not match"), InputError("out of memory.png: no such file"), OSError(2, "no")],
)
def test_other_errors_are_no_lack_of_memory(error):
    assert not is_shortage(error)
