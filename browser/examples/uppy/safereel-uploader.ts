import type { FileProgress, FileUpload, Safereel } from '@safereel/recorder';
import { BasePlugin, type Body, type Meta, type PluginOpts, type Uppy, type UppyFile } from '@uppy/core';

interface Options extends PluginOpts {
  safereel: Safereel;
}

/**
 * Uppy chooses files and shows them; Safereel uploads them. Pausing, going on and cancelling work as anywhere in Uppy: what is
 * removed from Uppy before it is stored is deleted in the bucket too.
 */
export class SafereelUploader<M extends Meta, B extends Body> extends BasePlugin<Options, M, B> {
  readonly #uploads = new Map<string, FileUpload>();

  constructor(uppy: Uppy<M, B>, options: Options) {
    super(uppy, options);
    this.id = 'SafereelUploader';
    this.type = 'uploader';
  }

  override install(): void {
    const { capabilities } = this.uppy.getState();
    this.uppy.setState({ capabilities: { ...capabilities, resumableUploads: true } });
    this.uppy.addUploader(this.#uploadAll);
    this.uppy.on('upload-pause', this.#onPause);
    this.uppy.on('pause-all', this.#onPauseAll);
    this.uppy.on('resume-all', this.#onResumeAll);
    this.uppy.on('file-removed', this.#onRemoved);
  }

  override uninstall(): void {
    this.uppy.removeUploader(this.#uploadAll);
    this.uppy.off('upload-pause', this.#onPause);
    this.uppy.off('pause-all', this.#onPauseAll);
    this.uppy.off('resume-all', this.#onResumeAll);
    this.uppy.off('file-removed', this.#onRemoved);
  }

  readonly #uploadAll = async (ids: string[]): Promise<void> => {
    const files = this.uppy.getFilesByIds(ids);
    this.uppy.emit('upload-start', files);
    await Promise.all(files.map((file) => this.#upload(file)));
  };

  async #upload({ id, data }: UppyFile<M, B>): Promise<void> {
    try {
      if (!(data instanceof File)) throw new TypeError('Only files of this device can be uploaded.');
      const upload = await this.opts.safereel.uploadFile(data);
      if (!this.uppy.getFile(id)) return await upload.cancel();
      this.#uploads.set(id, upload);
      if (this.uppy.getFile(id).isPaused) upload.pause();
      await this.#arrival(id, upload);
      this.#uploads.delete(id); // From here on, removing it from Uppy deletes nothing.
      this.uppy.emit('upload-success', this.uppy.getFile(id), { status: 200, uploadURL: upload.id });
    } catch (error) {
      this.#uploads.delete(id);
      if (this.uppy.getFile(id)) this.uppy.emit('upload-error', this.uppy.getFile(id), error as Error);
    }
  }

  /** Resolves once the upload is stored. What needs the person rejects: Uppy's “Retry” then goes on where it was. */
  async #arrival(id: string, upload: FileUpload): Promise<void> {
    const { safereel } = this.opts;
    let unsubscribe = () => {};
    const needsPerson = new Promise<never>((_, reject) => {
      unsubscribe = safereel.subscribe((event) => {
        if (event.type !== 'file_progress' || event.recordingId !== upload.id) return;
        this.#show(id, event.progress);
        if (event.progress.state !== 'source_needed' && event.progress.state !== 'stuck') return;
        const view = safereel.snapshot().recordings.find((recording) => recording.id === upload.id);
        reject(new Error(view?.problem?.detail ?? 'The file has to be chosen again.'));
      });
    });
    await Promise.race([upload.completed(), needsPerson]).finally(unsubscribe);
  }

  #show(id: string, { sentBytes, totalBytes }: FileProgress): void {
    const file = this.uppy.getFile(id);
    if (!file) return;
    const uploadStarted = file.progress.uploadStarted ?? Date.now();
    this.uppy.emit('upload-progress', file, { uploadStarted, bytesUploaded: sentBytes, bytesTotal: totalBytes });
  }

  readonly #onPause = (file: UppyFile<M, B> | undefined, paused: boolean): void => {
    const upload = this.#uploads.get(file?.id ?? '');
    if (paused) upload?.pause();
    else upload?.resume();
  };

  readonly #onPauseAll = (): void => {
    for (const upload of this.#uploads.values()) upload.pause();
  };

  readonly #onResumeAll = (): void => {
    for (const upload of this.#uploads.values()) upload.resume();
  };

  readonly #onRemoved = ({ id, name }: UppyFile<M, B>): void => {
    const upload = this.#uploads.get(id);
    this.#uploads.delete(id);
    upload?.cancel().catch((error: Error) => this.uppy.info({ message: `${name}: ${error.message}` }, 'error'));
  };
}
