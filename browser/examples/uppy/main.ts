import { createSafereel } from '@safereel/recorder';
import Uppy from '@uppy/core';
import Dashboard from '@uppy/dashboard';
import '@uppy/core/css/style.min.css';
import '@uppy/dashboard/css/style.min.css';
import { SafereelUploader } from './safereel-uploader';

const endpoint = 'http://localhost:8000'; // the control plane
const getToken = async () => (await fetch('/safereel-token')).text(); // a call of your backend
const safereel = createSafereel({ endpoint, getToken });

new Uppy({ restrictions: { allowedFileTypes: ['.webm', '.mp4', '.mkv', '.ogg'] } })
  .use(Dashboard, { inline: true, target: '#uppy' })
  .use(SafereelUploader, { safereel });
